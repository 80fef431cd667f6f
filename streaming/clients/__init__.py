"""What speaks to a media server: our publisher and viewer, and the driver of browsers."""
