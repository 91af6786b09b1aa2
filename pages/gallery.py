"""Gallery: the former name of the page Dataset."""

from camviz.ui.shell import moved_pages

moved_pages.open_page("pages/dataset.py")
