"""From a picture to a mask."""
