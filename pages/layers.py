"""Layers: a page of earlier versions, now a part of Inspect."""

from camviz.ui.shell import old_links

old_links.open_inspect("maps")
