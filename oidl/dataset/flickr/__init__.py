"""What Flickr says about a photo: an answer of one of its services becomes a `CheckResult`. Pure.

One module a service. Identity comes before belief: an answer counts only if it names the photo and the owner of the
published row. An answer that says nothing is `Unusable`, never an exception.
"""
