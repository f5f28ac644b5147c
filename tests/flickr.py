"""Answers of Flickr as they were recorded: the same fields, for photos of the tests."""

import json
from xml.sax.saxutils import quoteattr

from builders import image

from oidl.model import PublishedPhoto, license_of_id

RESERVED_URL = "https://www.flickrhelp.com/hc/en-us/articles/10710266545556-Using-Flickr-images-shared-by-other-members"


def photo(number: int = 7, **changes: str) -> PublishedPhoto:
    """A published photo, by `someone`."""
    row = image(number)
    values = {
        "image_id": row.image_id,
        "subset": row.subset,
        "landing_url": row.original_landing_url,
        "license": row.license,
        "author_profile_url": row.author_profile_url,
        "author": row.author,
    }
    return PublishedPhoto(**(values | changes))


def oembed(number: int = 7, now: int = 4, owner: str = "someone", **changes: object) -> bytes:
    """An answer of oEmbed; None for a field leaves it out."""
    found = license_of_id(now)
    values: dict[str, object] = {
        "type": "photo",
        "flickr_type": "photo",
        "title": "A title",
        "author_name": "Some One",
        "author_url": f"https://www.flickr.com/photos/{owner}/",
        "width": 1024,
        "height": 683,
        "url": f"https://live.staticflickr.com/1/{number}_0a1b2c_b.jpg",
        "web_page": f"https://www.flickr.com/photos/{owner}/{number}/",
        "license": "A name that says nothing",
        "license_id": str(now) if now else 0,
        "license_url": found.url if found and now else None,
        "version": "1.0",
        "cache_age": 3600,
        "provider_name": "Flickr",
        "provider_url": "https://www.flickr.com/",
    }
    return json.dumps({name: value for name, value in (values | changes).items() if value is not None}).encode()


def info(number: int = 7, license_id: int | str = 4, owner: str = "someone", nsid: str = "12345678@N00") -> bytes:
    """An answer of `flickr.photos.getInfo`; an empty `owner` has no alias."""
    return f"""<?xml version="1.0" encoding="utf-8" ?>
<rsp stat="ok">
<photo id="{number}" secret="24280eeefa" dateuploaded="1344597680" license="{license_id}" rotation="0" media="photo">
\t<owner nsid="{nsid}" username="some_one" realname="Some One" location="" path_alias="{owner}" />
\t<title>A &lt;title&gt;</title>
\t<description>&lt;a href=&quot;https://example.org&quot;&gt;</description>
\t<visibility ispublic="1" isfriend="0" isfamily="0" />
\t<urls>
\t\t<url type="photopage">https://www.flickr.com/photos/{owner or nsid}/{number}/</url>
\t</urls>
</photo>
</rsp>
""".encode()


def history(*entries: tuple[int, int, int | None]) -> bytes:
    """An answer of `getLicenseHistory`: times, and the numbers of the licences before and after, None for no change."""

    def url(number: int | None) -> str:
        found = license_of_id(number) if number is not None else None
        return quoteattr(found.url if found else "")

    lines = "".join(
        f'<license_history date_change="{second}" old_license="A name" old_license_url={url(old)} '
        f'new_license="" new_license_url={url(new)} />\n\n'
        for second, old, new in entries
    )
    return f'<?xml version="1.0" encoding="utf-8" ?>\n<rsp stat="ok">\n\n{lines}</rsp>\n'.encode()


def error(code: int, message: str = "Photo not found") -> bytes:
    """An error of the API."""
    said = f'<rsp stat="fail">\n\t<err code="{code}" msg="{message}" />\n</rsp>\n'
    return f'<?xml version="1.0" encoding="utf-8" ?>\n{said}'.encode()


def page(
    number: int = 7, license_url: str = "https://creativecommons.org/licenses/by/2.0/", owner: str = "someone"
) -> bytes:
    """The page of a photo, as far as it matters."""
    return f"""<!DOCTYPE html>
<html lang="en-us"><head>
<title>A title | Some One | Flickr</title>
<meta property="og:url" content="https://www.flickr.com/photos/{owner}/{number}/" data-dynamic="true">
<link rel="canonical" href="https://www.flickr.com/photos/{owner}/{number}/">
<link rel="license" href="{license_url}">
</head><body>
<a href="/photos/{owner}/" class="owner-name truncate" title="Go to photostream">Some One</a>
<div class="photo-license-info"><a href="{license_url}" class="photo-license-url" rel="license cc:license">
Some rights reserved</a></div>
<script>modelExport: {{"main":{{"photo-models":[{{"id":"{number}"}}]}}}}</script>
</body></html>""".encode()
