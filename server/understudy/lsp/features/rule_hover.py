"""``textDocument/hover``: the rule under a finding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.feature import Feature
from understudy.lsp.session import Session

if TYPE_CHECKING:
    from understudy.rules.base import Rule

_SECTION = "what it finds"
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*")
_FENCE = re.compile(r"\s*(```|~~~)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


async def hover(session: Session, params: types.HoverParams) -> types.Hover | None:
    report = await session.report(params.text_document.uri)
    if report is None:
        return None
    text, encoding = report.document.text, session.client.encoding
    at = convert.to_span(text, types.Range(params.position, params.position), encoding)
    findings = [finding for finding in report.findings if finding.span.contains(at.row, at.column)]
    if not findings:
        return None
    innermost = max(findings, key=lambda finding: (finding.span[:2], [-place for place in finding.span[2:]]))
    codes = dict.fromkeys(finding.code for finding in findings)
    pages = [page for code in codes if (page := describe(code)) is not None]
    if not pages:
        return None
    content = _content(pages, markdown=session.client.markdown_hover)
    return types.Hover(content, convert.to_range(text, innermost.span, encoding))


def describe(code: str) -> str | None:
    """The short form of a rule's page, Markdown."""
    from understudy.rules import registry

    rule = registry.all_rules().get(code)
    if rule is None:
        return None
    parts = [f"**{rule.code}** {rule.name}", f"{rule.summary[:1].upper()}{rule.summary[1:]}."]
    section = _what_it_finds(rule)
    if section:
        parts.append(section)
    url = registry.url(code)
    if url is not None:
        parts.append(f"[Documentation of {rule.code}]({url})")
    return "\n\n".join(parts)


def _what_it_finds(rule: Rule) -> str:
    try:
        lines = rule.page.splitlines()
    except OSError:
        return ""
    taken: list[str] = []
    level = 0
    fenced = False
    for line in lines:
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is not None:
            if level and len(heading[1]) <= level:
                break
            if heading[2].lower() == _SECTION:
                level = len(heading[1])
                continue
        if level:
            taken.append(line)
    return "\n".join(taken).strip()


def _content(pages: list[str], *, markdown: bool) -> types.MarkupContent:
    if markdown:
        return types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(pages))
    return types.MarkupContent(types.MarkupKind.PlainText, "\n\n".join(_plain(page) for page in pages))


def _plain(page: str) -> str:
    lines = []
    for line in page.splitlines():
        if _FENCE.match(line):
            continue
        heading = _HEADING.fullmatch(line)
        line = heading[2] if heading is not None else line
        target = re.fullmatch(r"\[([^\]]+)\]\(([^)]*)\)", line)
        line = f"{target[1]}: {target[2]}" if target is not None else _LINK.sub(r"\1", line)
        lines.append(line.replace("**", "").replace("`", ""))
    return "\n".join(lines)


FEATURES = (Feature(types.TEXT_DOCUMENT_HOVER, hover),)
