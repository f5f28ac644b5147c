"""One picture: whether it is a complete image, and its renditions; the only room that knows libvips.

`formats` recognises a format by its first bytes, `inspect` reads the header and
decodes to the end, `geometry` computes the size of a rendition, `rendition`
makes it. Everything is synchronous and works on bytes in memory.
"""
