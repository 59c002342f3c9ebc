"""One pure builder module for each part: a blueprint in, the part's Kubernetes objects out."""
