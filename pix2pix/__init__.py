"""pix2pix on MindSpore: paired pictures in, a trained generator and its predictions out."""

__version__ = "0.1.0"
