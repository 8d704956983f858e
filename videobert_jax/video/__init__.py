"""Video files to clips, and clips to features."""
