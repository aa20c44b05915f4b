"""The commands of `python -m audiopg`, one a module: its flags, and what it does with them.

Each does what a call of the library does, with the same settings. Its module has ``add``, which
declares the flags, ``run``, which does the work, and ``EXAMPLES``, the end of its help. The module is
imported when the command is called, so that the list of commands appears at once. What several
commands share is in `audiopg.commands.common`.
"""

# What each command does, in a line: its help begins with it.
COMMANDS = {
    "synth": "write clips as sound files, with their factors as scene.json and as parameters.csv",
    "pretrain": "pre-train a masked autoencoder on clips synthesized, or recordings read, as it goes",
    "finetune": "fine-tune an encoder on labelled recordings, each test fold in turn, the last epoch "
    "tested",
    "probe": "linear probe of frozen encoders on a benchmark, beside chance, log-mel and an untrained "
    "encoder, with intervals, paired tests and confusions",
    "embed": "embed audio files, one row a file, into a table: .npz, or .parquet where pyarrow is "
    "installed",
    "export": "write an encoder for timm; read one of AudioMAE's from a .pth",
    "analyze": "ask the latent space about pitch, relative intensity and onset, and look at the patch "
    "filters; tables, figures and a record of it all",
    "download": "download a benchmark from its official source; what broke off is resumed, what came "
    "is checked",
    "data": "say which benchmarks are there, or all about one, after decoding every file of it",
    "bench": "measure speed, as ratios against a named reference in the same run",
    "reproduce": "run the experiments behind the book's tables that have no record in results/ yet, "
    "and go on with those that were interrupted",
}
