"""Long work of accounts: mail."""

from amgs.accounts.notices import send_notice

__all__ = ["send_notice"]
