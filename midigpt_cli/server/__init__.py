"""The HTTP face of midigpt: an application factory and the pieces it is put together from."""
