"""Shards: files that hold the bytes of many images.

record      what every format offers: a sample as bytes, and where its image is among them
tar         WebDataset: an image and its JSON are two members of a tar
tfrecord    an Example of the Object Detection API
annotations boxes and labels as JSON text
place       the place of an image in a shard, as in `file.path`
"""
