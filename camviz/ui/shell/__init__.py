"""Elements around every page: sidebar, tour, style."""
