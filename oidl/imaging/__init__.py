"""One picture: is it a whole image, and renditions of it; the only room that knows libvips.

`formats` names a format by its first bytes, `inspect` reads the header and
decodes to the end, `geometry` says how large a rendition comes out, `rendition`
makes it. Everything is synchronous and works on bytes in memory.
"""
