"""What surrounds every page: sidebar, tour, style."""
