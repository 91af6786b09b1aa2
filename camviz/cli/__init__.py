"""The commands of `camviz`, one a file; `camviz/__main__.py` lists them and imports only the one that is asked for."""
