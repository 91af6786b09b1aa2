"""The commands of `camviz`, one per file. `camviz/__main__.py` lists them and imports only the one that is called."""
