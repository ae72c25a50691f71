"""irisdrop brings each image that a retinal camera exports to its one fitting order, or to a person."""

__version__ = "0.1.0"
