"""Formatted text between dialects: what each construct becomes, and that nothing is ever lost on the way."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.entity import RichText, normal_text
from connectors.richtext import DIALECTS, from_canonical, losses, normal, to_canonical

DATA = Path(__file__).parents[3] / "shared" / "data" / "github-issues-esni.json"

BOTH_WAYS = [
    ("plain words", "plain words"),
    ("**bold** and __bold__", "*bold* and **bold**"),
    ("_italic_ and *italic*", "_italic_ and __italic__"),
    ("**bold _and italic_ too**", "*bold _and italic_ too*"),
    ("~~struck~~", "-struck-"),
    ("(**in brackets**), **before a comma**", "(*in brackets*), *before a comma*"),
    ("run `make test` now", "run @make test@ now"),
    ("a`b`c", "a<code>b</code>c"),
    ("`me@example.com`", "@me@example.com@"),
    ("`a @ b`", "<code>a @ b</code>"),
    ("@ada says `yes`", "@ada says <code>yes</code>"),
    ("``ls``", "<code ``>ls</code>"),
    ("[here](https://example.com/a_b_c)", '"here":https://example.com/a_b_c'),
    ("see [the **one**](https://example.com).", 'see "the *one*":https://example.com.'),
    ("(see [a](https://a.b/c).)", '(see "a":https://a.b/c<notextile></notextile>.)'),
    ("[a](https://a.b/c)-like", '"a":https://a.b/c<notextile></notextile>-like'),
    ('[here](https://example.com "There")', '"here(There)":https://example.com'),
    ("[W](https://en.wikipedia.org/wiki/A_(b))", '"W":https://en.wikipedia.org/wiki/A_(b)'),
    ("![](shot.png) and ![a shot](https://example.com/s.png)", "!shot.png! and !https://example.com/s.png(a shot)!"),
    ("# One", "h1. One"),
    ("# One\ntext\n\n### Three **bold**\n\ntext", "h1. One\n \ntext\n\nh3. Three *bold*\n\ntext"),
    ("* a\n* b", "* a\n* b"),
    ("- a\n- b", "*  a\n* b"),
    ("+ a", "*   a"),
    ("* a\n  * b\n    1. c\n    2. d\n* e", "* a\n** b\n### c\n### d\n* e"),
    ("- a\n    - b\n- c", "*  a\n**     b\n* c"),
    ("1. a\n2. b\n   - c\n3. d", "# a\n# b\n**  c\n# d"),
    ("1. a\n\n   ```\n   x\n   ```\n2. b\n\n3. c", "# a\n\n   <pre>\n   x\n   </pre>\n# b\n\n3. c"),
    ("intro\n- a\n  more of a\n- b", "intro\n*  a\n  more of a\n* b"),
    ("> quoted\n> **too**\n>\n> - a", "> quoted\n> *too*\n>\n> *  a"),
    ("> > deep\n> flat", "> > deep\n> flat"),
    ("```\nif a:\n    *b*\n```", "<pre>\nif a:\n    *b*\n</pre>"),
    ("```python\nx\n```\nafter", '<pre><code class="python">\nx\n</code></pre>\nafter'),
    ("~~~~\nx\n~~~~", "<pre ~~~~>\nx\n</pre>"),
    ("````\n```\n````", "<pre>\n```\n</pre>"),
    ("| a | b |\n| --- | --- |\n| **c** | d |", "|_. a |_. b |\n| *c* | d |"),
    ("|a|b|\n|:-|-:|\n|c|d|\ntext", "|_.a|_.b|<!--|:-|-:|-->\n|c|d|\n \ntext"),
    ("above\n\n---\n\nbelow", "above\n\n---\n\nbelow"),
    ("#12, snake_case_name, 2 * 3 * 4, C++", "#12, snake_case_name, 2 * 3 * 4, C++"),
    ("**Ada** wrote on 2026-11-21 08:14:00 UTC:\n\nYes", "*Ada* wrote on 2026-11-21 08:14:00 UTC:\n\nYes"),
]
"""Markdown, and how it stands in Redmine's Textile: each is made from the other."""


@pytest.mark.parametrize(("markdown", "textile"), BOTH_WAYS)
def test_markdown_in_textile(markdown: str, textile: str) -> None:
    assert from_canonical(RichText(markdown), "textile") == textile
    assert to_canonical(textile, "textile").canonical == markdown


@pytest.mark.parametrize(
    ("markdown", "textile"),
    [
        ("use -a or -b-", "use <notextile>-a or -b-</notextile>"),
        ("h1. is how Textile begins a heading", "<notextile>h1. is how Textile begins a heading</notextile>"),
        ("bq. so", "<notextile>bq. so</notextile>"),
        ("that is !important! here", "that is <notextile>!important!</notextile> here"),
        ("</notextile> -x-", "</notextile> <notextile>-x-</notextile>"),
        ("2. two comes first", "2. two comes first"),
        ("*   four blanks", "<notextile>*   four blanks</notextile>"),
        ("a <pre>b</pre>\n\n<pre>\nc\n</pre>", "a <pre>b</pre>\n\n<notextile><pre></notextile>\nc\n</pre>"),
    ],
)
def test_what_textile_would_misread_is_guarded(markdown: str, textile: str) -> None:
    assert from_canonical(RichText(markdown), "textile") == textile
    assert to_canonical(textile, "textile").canonical == markdown


@pytest.mark.parametrize(
    ("textile", "markdown"),
    [
        ("bq. Said\r\nso", "> Said\nso"),
        ("<pre>one line</pre>", "```\none line\n```"),
        ('<pre><code class="ruby">\nputs 1\n</code></pre>', "```ruby\nputs 1\n```"),
        ("* a\n** b\n** c\n*# d", "* a\n  * b\n  * c\n  1. d"),
        ("*** deep\n*** too", "* deep\n* too"),
        ('"mail":mailto:a@example.com, "root":/issues/3', "[mail](mailto:a@example.com), [root](/issues/3)"),
        ("h2. Title\n\ntext", "## Title\n\ntext"),
        ("<notextile>*raw*</notextile>", "*raw*"),
    ],
)
def test_textile_that_people_write_becomes_markdown(textile: str, markdown: str) -> None:
    assert to_canonical(textile, "textile").canonical == markdown


@pytest.mark.parametrize(
    "textile",
    [
        "%{color:red}red% and +under+",
        "{{toc}}",
        "[[Wiki|page]]",
        "p=. middle",
        "| a | b |",
        "!>{width:9px}a.png!",
        "x^2^",
    ],
)
def test_textile_without_a_word_in_markdown_goes_there_and_back_as_it_stands(textile: str) -> None:
    assert to_canonical(textile, "textile").canonical == textile
    assert from_canonical(RichText(textile), "textile") == textile


@pytest.mark.parametrize("original", ["bq. Said", "*# a", "|_. a|\n|b|", "* a  \r\n\r\n\r\n* b", "-a-  *b*"])
def test_a_text_that_nobody_edited_goes_back_as_it_came(original: str) -> None:
    assert from_canonical(to_canonical(original, "textile"), "textile") == normal_text(original)


def test_an_edited_text_does_not_bring_its_original_back() -> None:
    assert from_canonical(RichText("**new**", "*old*"), "textile") == "*new*"


HTML = [
    ("**bold** and *italic* and ~~struck~~", "<p><strong>bold</strong> and <em>italic</em> and <s>struck</s></p>"),
    ("one\ntwo", "<p>one<br />\ntwo</p>"),
    ("# One\n\n- a\n  - b", "<h1>One</h1>\n<ul>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n</ul>"),
    ("[here](https://example.com)", '<p><a href="https://example.com">here</a></p>'),
    ("> quoted", "<blockquote>\n<p>quoted</p>\n</blockquote>"),
    ("```python\nx = 1 < 2\n```", '<pre><code class="language-python">x = 1 &lt; 2\n</code></pre>'),
    ("1 < 2 & `a`", "<p>1 &lt; 2 &amp; <code>a</code></p>"),
    (r"¯\_(ツ)_/¯ <b>", '<pre class="markdown">\n¯\\_(ツ)_/¯ &lt;b&gt;</pre>'),
]


@pytest.mark.parametrize(("markdown", "html"), HTML)
def test_markdown_in_html(markdown: str, html: str) -> None:
    assert from_canonical(RichText(markdown), "html") == html
    assert to_canonical(html, "html").canonical == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<div>one</div><div><b>two</b> <u>three</u></div>", "one\n\n**two** three"),
        ("plain words", "plain words"),
        ("<p>one\n  two<br>\n  three</p>", "one two\nthree"),
        ("<p></p>", ""),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<script>alert(1)</script>so", "so"),
        ("<![0", "<![0"),
        ("<b>" * 3000, "<b>" * 3000),
    ],
)
def test_html_that_people_and_editors_write_becomes_markdown(html: str, markdown: str) -> None:
    assert to_canonical(html, "html").canonical == markdown


# -- laws -----------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["**", "__", "*", "_", "~~", "-", "`", "``", "```", "~~~", "@", "!", '"', '":', "[", "](", ")", "(", "\\", "==",
     "# ", "h1. ", "bq. ", "> ", ">", "- ", "* ", "+ ", "1. ", "2. ", "    ", "  ", " ", "\n", "\n\n", "|", "|_.",
     "---", "| --- |", "<pre>", "</pre>", "<code>", "</code>", "<notextile>", "</notextile>", "</_notextile>", "<!--",
     "-->", "&#124;", "https://a.b/c_d", "a", "b c", "é", "1", "\t", "\x0b", "\u00a0", "\u200b", "%", "+", "{", ":"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60)


@pytest.mark.parametrize("dialect", ["plain", "markdown", "textile"])
@given(text=TEXTS)
@example(text="```\n\n```")
@example(text="<notextile>\n<pre>\n</notextile>")
def test_every_text_comes_back_letter_for_letter(dialect: str, text: str) -> None:
    written = from_canonical(RichText(text), dialect)
    assert to_canonical(written, dialect).canonical == normal_text(text) == normal(text, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=TEXTS)
def test_what_came_back_once_comes_back_the_same_for_ever(dialect: str, text: str) -> None:
    once = normal(text, dialect)
    assert to_canonical(from_canonical(RichText(text), dialect), dialect).canonical == once
    assert normal(once, dialect) == once


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=TEXTS)
def test_whatever_people_write_is_read_and_once_read_is_stable(dialect: str, text: str) -> None:
    canonical = to_canonical(text, dialect).canonical
    assert normal(canonical, dialect) == canonical
    assert to_canonical(from_canonical(RichText(canonical), dialect), dialect).canonical == canonical


@given(text=TEXTS)
def test_no_text_is_refused_a_report(text: str) -> None:
    for source in DIALECTS:
        for target in DIALECTS:
            named = losses(text, source, target)
            assert list(named) == sorted(set(named))


# -- real texts -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bodies() -> list[str]:
    if not DATA.exists():
        pytest.skip("the shared data lies beside the checkout only where Syncline is developed")
    issues = json.loads(DATA.read_text("utf-8"))["issues"]
    return [issue["body"] for issue in issues] + [c["body"] for issue in issues for c in issue["comments"]]


def test_real_bodies_and_comments_come_back_letter_for_letter(bodies: list[str]) -> None:
    assert len(bodies) == 1510
    changed = [body for body in bodies if normal(body, "textile") != normal_text(body)]
    assert changed == []


def test_real_bodies_and_comments_keep_their_words_in_html(bodies: list[str]) -> None:
    def words(text: str) -> str:
        return "".join(re.findall(r"[^\W\d_]", unescape(text)))

    read = [normal(body, "html") for body in bodies]
    assert [words(text) for text in read] == [words(body) for body in bodies]
    assert sum(map(str.__eq__, read, map(normal_text, bodies))) > 0.6 * len(bodies)


def test_hardly_a_real_line_needs_a_guard(bodies: list[str]) -> None:
    written = "\n".join(from_canonical(RichText(body), "textile") for body in bodies)
    assert len(re.findall("<notextile>.", written)) - written.count("<notextile></notextile>") < 10


def test_the_report_on_real_texts_is_true(bodies: list[str]) -> None:
    """Most texts lose nothing, and what is left in the Textile as a mark of Markdown is named."""
    marks = {"link": r"\[[^\]\n]+\]\(https?:", "code span": r"(?<!`)`[^`\n]+`(?!`)", "code block": r"(?m)^ *(```|~~~)"}
    lossy = [body for body in bodies if losses(body, "markdown", "textile")]
    assert len(lossy) < 0.06 * len(bodies)
    for body in bodies:
        textile = from_canonical(RichText(body), "textile")
        words = re.sub(r"(?s)<pre.*?</pre>|<code.*?</code>|@[^@\n]+@", "", textile)
        assert {name for name, mark in marks.items() if re.search(mark, words)} <= set(
            losses(body, "markdown", "textile")
        )


# -- the loss report ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("**bold** `code` [link](https://a.b) ~~gone~~\n\n- a\n  - b\n\n# H\n\n```\nx\n```", ()),
        ("<sup>1</sup>", ("HTML",)),
        ("```\n<sup>1</sup>\n```", ()),
        ("un**believ**able", ("bold or italic inside a word",)),
        ("[doc](README.md)", ("link",)),
        ("[doc][1]\n\n[1]: https://a.b", ("reference link",)),
        ("1) one\n2) two", ("list",)),
        ("- [x] done", ("task box",)),
        ("Title\n=====", ("heading",)),
        ("note[^1]", ("footnote",)),
        (r"\*not bold\*", ("escaped sign",)),
    ],
)
def test_markdown_that_redmine_shows_as_marks_is_named(text: str, named: tuple[str, ...]) -> None:
    assert losses(text, "markdown", "textile") == named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("*bold* @code@ h1.", ()),
        ("+under+ x^2^", ("underline",)),
        ("%{color:red}red%", ("colour or style",)),
        ("{{toc}} [[Page]]", ("macro", "wiki link")),
        ("p=. middle", ("alignment, class or style",)),
        ("| a | b |", ("table without a header",)),
        ("<pre>\n{{toc}}\n</pre>", ()),
    ],
)
def test_textile_that_markdown_shows_as_marks_is_named(text: str, named: tuple[str, ...]) -> None:
    assert losses(text, "textile", "markdown") == named


@pytest.mark.parametrize(
    ("text", "source", "target", "named"),
    [
        ("<u>under</u> x<sup>2</sup>", "html", "markdown", ("sub- or superscript", "underline")),
        ('<p style="color:red">red</p>', "html", "textile", ("alignment, class or style",)),
        ("**bold** [a](b.md)\n\n```\n<u>\n```", "markdown", "html", ()),
        ("x<sup>2</sup> and [^1]", "markdown", "html", ("HTML", "footnote")),
        ("+under+ %red%", "textile", "html", ("colour or style", "underline")),
    ],
)
def test_html_is_reported_on_as_well(text: str, source: str, target: str, named: tuple[str, ...]) -> None:
    assert losses(text, source, target) == named


def test_nothing_is_lost_within_one_dialect() -> None:
    assert losses("+under+ {{toc}}", "textile", "textile") == ()
