"""What lies on disk: images, labels, datasets."""
