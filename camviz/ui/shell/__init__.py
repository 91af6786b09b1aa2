"""Elements around every page: navigation, title, experiment, tour, style."""
