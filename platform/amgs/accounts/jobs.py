"""Long work of accounts: mail."""

from amgs.accounts.notices import ask_for_digests, send_digest, send_notice

__all__ = ["ask_for_digests", "send_digest", "send_notice"]
