"""What is only there for speed: operations with gradients of their own, and how a mesh splits them."""
