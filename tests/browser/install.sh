#!/bin/sh
# Installs what the browser tests need, where it may: chromium from Debian as root, and the
# accessibility rules from npm. What is missing afterwards is said by the tests that are skipped.
folder=$(dirname "$0")
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends chromium
    fi
fi
if ! cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed-from" &&
    command -v npm >/dev/null; then
    npm ci --ignore-scripts --no-audit --no-fund --fetch-retries 1 --prefix "$folder" &&
        cp "$folder/package-lock.json" "$folder/node_modules/.installed-from"
fi
exit 0
