"""Descriptions in HTML: whatever comes in, nothing that could act comes out, and what comes out stays as it is."""

import time
from contextlib import suppress
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.utils.html import ATTRIBUTES, LONGEST_HTML, MOST_TAGS, SCHEMES, TAGS, WITHOUT_CONTENT, clean_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' java&#10;script:alert(1)'>x</a>",
    "<a href=JaVaScRiPt&colon;alert(1)>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<svg onload=alert(1)><p>",
    "<svg><style><img src=x onerror=alert(1)></style>",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data='data:text/html,x'><embed src=x>",
    "<form action='javascript:alert(1)'><input type=submit autofocus onfocus=alert(1)>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href='//evil.example/'>",
    "<link rel=stylesheet href='//evil.example/x.css'>",
    "<p style='background:url(javascript:alert(1))'>x",
    "<p style='position:fixed;inset:0'>x",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<img src='x' alt='`onerror=alert(1)'>",
    "<textarea><script>alert(1)</script>",
    "<title><img src=x onerror=alert(1)></title>",
    "<xmp><script>alert(1)</script></xmp>",
    "<plaintext><script>alert(1)</script>",
    "<details open ontoggle=alert(1)>x</details>",
    "<a id=x name=y href=vbscript:msgbox(1)>x</a>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img srcset='javascript:alert(1)' longdesc='javascript:alert(1)'>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
KEPT = [
    "",
    "Plain words.",
    "<p>Boils a litre in <b>3&nbsp;minutes</b> — for ₹ 999.</p>",
    '<h2>Sizes</h2><table><tbody><tr><th scope="row">S</th><td colspan="2">36 in</td></tr></tbody></table>',
    '<ul><li>Cotton</li><li>Block-printed</li></ul><ol start="3"><li>Wash cold</li></ol>',
    '<p><img src="https://images.example/1.jpg" alt="Front" width="600" height="800"><br>See the back.</p>',
    "<p>5 &lt; 6 &amp; 7 &gt; 6</p>",
    "<details><summary>Care</summary>Iron inside out.</details>",
    '<a href="/pages/sizes" rel="noopener noreferrer">Sizes</a>',
]
pieces = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE + KEPT),
        st.builds(
            "<{} {}={}>".format,
            st.sampled_from(sorted(TAGS | WITHOUT_CONTENT | {"form", "marquee", "select", "option", "button", "font"})),
            st.sampled_from(["onclick", "style", "href", "src", "title", "class", "id", "xlink:href", "formaction"]),
            st.sampled_from(["x", "javascript:x()", '"java\tscript:x()"', "'https://x.example/'", "'>'", '"', "'"]),
        ),
        st.builds("</{}>".format, st.sampled_from(sorted(TAGS | WITHOUT_CONTENT))),
        st.sampled_from(["<!--", "-->", "<", ">", "&", "&#106;avascript:", "\n", "\r\n", "\ufeff", "<pre>\n\n", "]]>"]),
        st.text(max_size=8).filter(lambda text: "\0" not in text),
    ),
    max_size=14,
).map("".join)


class Reader(HTMLParser):
    """Raises AssertionError at whatever may not stand in a description."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            if (tag, name) == ("a", "rel"):
                assert value == "noopener noreferrer"
                continue
            assert name in ATTRIBUTES["*"] | ATTRIBUTES.get(tag, frozenset()), (tag, name)
            if name in {"href", "src"}:
                scheme, colon, _ = (value or "").partition(":")
                plain = "".join(letter for letter in scheme if letter.isprintable() and letter != " ").lower()
                assert not colon or plain in SCHEMES or any(mark in scheme for mark in "/?#"), value

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a section: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def harmless(text: str) -> None:
    reader = Reader()
    reader.feed(text)
    reader.close()


@pytest.mark.parametrize("text", KEPT)
def test_what_a_description_is_written_with_stays(text: str) -> None:
    assert clean_html(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_could_act_goes(text: str) -> None:
    found = clean_html(f"<p>Before</p>{text}")
    harmless(found)
    assert found.startswith("<p>Before</p>")
    assert clean_html(found) == found


@given(pieces)
@example("<pre>\n\n\n\nx</pre>")
@example("\ufeff\ufeff\ufeffx")
@example("<a><table><a>x<td><a>y</table>")
def test_whatever_comes_in(text: str) -> None:
    try:
        found = clean_html(text)
    except ValueError:
        return
    harmless(found)
    assert clean_html(found) == found


@given(st.lists(st.sampled_from(KEPT), max_size=8).map("\n".join))
def test_what_is_written_properly_is_never_refused(text: str) -> None:
    harmless(clean_html(text))


def test_words_of_tags_that_go_stay() -> None:
    assert clean_html("<center><font color=red>Sale</font></center><script>Sale</script>") == "Sale"


@pytest.mark.parametrize(
    "text",
    ["<b>" * (MOST_TAGS + 1), "&" * (LONGEST_HTML // 4), "</p>" * (LONGEST_HTML // 5)],
    ids=["too many tags", "longer once it is clean", "tags that nobody opened"],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be no longer|must have no more"):
        clean_html(text)


@pytest.mark.parametrize("tag", ["<div>", "<ul><li>", "<b><p>", "<table><tr><td>", "<a href='", "<!--", "<"])
def test_nothing_takes_long(tag: str) -> None:
    """As deep and as long as the API takes it: the parser's worst is a square of the depth."""
    text = (tag * LONGEST_HTML)[: len(tag) * min(LONGEST_HTML // len(tag), MOST_TAGS // tag.count("<"))]
    started = time.process_time()
    with suppress(ValueError):
        clean_html(text)
    assert time.process_time() - started < 2
