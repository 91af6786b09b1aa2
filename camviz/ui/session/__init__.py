"""One visitor: settings in the URL, language."""
