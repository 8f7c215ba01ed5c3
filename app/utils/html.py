"""Descriptions in HTML, made harmless where they enter: the API's body and the CSV's cell go through ``clean_html``.

What stays is what a description is written with (``TAGS``, ``ATTRIBUTES``). A tag that may not stay goes and its words
stay; of ``script``, ``style`` and the like the content goes too. Links and pictures lead to ``SCHEMES`` or to a path of
the shop's own; handlers (``onload``), ``style``, ``class``, ``id``, comments and every other attribute go. What comes
out goes in again unchanged, so an export that is imported changes nothing.
"""

import re

import nh3

MOST_TAGS = 5_000  # of opening tags: the parser's time grows with the square of how deep they stand in one another
LONGEST_HTML = 200_000
PASSES = 4
TAGS = frozenset(
    {
        *("a", "abbr", "b", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "small", "span"),
        *("strong", "sub", "sup", "u", "br", "img", "hr", "p", "pre", "div", "blockquote", "figure", "figcaption"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "details", "summary"),
        *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
    }
)
ATTRIBUTES = {
    "*": frozenset({"lang", "title"}),
    "a": frozenset({"href"}),
    "col": frozenset({"span"}),
    "colgroup": frozenset({"span"}),
    "img": frozenset({"src", "alt", "width", "height"}),
    "ol": frozenset({"start", "reversed"}),
    "td": frozenset({"colspan", "rowspan"}),
    "th": frozenset({"colspan", "rowspan", "scope"}),
}
SCHEMES = frozenset({"http", "https", "mailto", "tel"})
# a browser would still run or show these as something else than words
WITHOUT_CONTENT = frozenset(
    {"script", "style", "template", "iframe", "object", "embed", "noscript", "textarea", "title", "svg", "math"}
)
_OPENING = re.compile(r"<[A-Za-z]")
_CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
    url_schemes=set(SCHEMES),
    clean_content_tags=set(WITHOUT_CONTENT),
    link_rel="noopener noreferrer",
)


_PRE_LINES = re.compile(r"<pre>\n+")  # a reader drops the first of them, so that each reading would drop one more


def clean_html(text: str) -> str:
    """``text`` without anything that could act, with every tag closed.

    Raises ValueError when it has more than ``MOST_TAGS`` tags or more than ``LONGEST_HTML`` characters once it is
    clean, and when its tags are so entangled that they read otherwise each time.
    """
    found = text
    for _ in range(PASSES):
        before, found = found, _cleaned(found)
        if found == before:
            return found
    raise ValueError("must have tags that are closed in the order in which they were opened")


def _cleaned(text: str) -> str:
    if len(_OPENING.findall(text)) > MOST_TAGS:
        raise ValueError(f"must have no more than {MOST_TAGS} tags")
    found = _PRE_LINES.sub("<pre>", _CLEANER.clean(text))
    if len(found) > LONGEST_HTML:
        raise ValueError(f"must be no longer than {LONGEST_HTML} characters when its tags are closed")
    return found
