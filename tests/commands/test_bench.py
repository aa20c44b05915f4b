from audiopg.__main__ import main
from audiopg.commands import bench
from audiopg.records import read_record

MEASURED = """
def main():
    print("measured")
    return {"settings": {}, "metrics": {"ratio": 2.0}, "data": "none", "protocol": "none"}
"""
REFUSED = """
from audiopg.errors import InputError
def main():
    raise InputError("there is no GPU here.")
"""


def test_benchmarks_run_one_after_another_and_one_is_recorded(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.py").write_text(REFUSED)
    (tmp_path / "b.py").write_text(MEASURED)
    monkeypatch.setattr(bench, "_BENCHMARKS", tmp_path)
    assert main(["bench"]) == 0
    assert capsys.readouterr().out == "a: there is no GPU here.\nmeasured\n"
    for name, code in (("a", 2), ("b", 0)):
        assert main(["bench", name, "--record", f"{tmp_path}/{name}"]) == code
    assert read_record("a", tmp_path) is None
    record = read_record("b", tmp_path)
    assert record["metrics"] == {"ratio": 2.0}
    assert record["seconds"] >= 0
