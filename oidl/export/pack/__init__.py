"""`oidl pack`: shards of the images that are there, with their labels, and what readers need next to them.

formats   the formats of shards, by name: one line each
request   what to pack, and the result
plan      which images go into which shard, in one transaction
samples   the samples of a shard, from its rows and files
write     the shards that are not sealed, each a pure function of its rows
index     label map, attribution, DALI's and the index of the shards, which comes last
card      the dataset card, and Croissant
job       all of it, in this order
describe  a pack as text for people

A shard that is sealed never changes. So a pack can be killed at any instant, and the next one makes what is left:
byte for byte what the first would have made.
"""
