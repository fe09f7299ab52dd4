"""Amounts of money, spoken."""

CURRENCIES = ("CNY", "USD")
