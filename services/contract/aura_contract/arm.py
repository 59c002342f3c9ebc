"""The arm's protocol on Redis: key names and status words of the function library `aura` (services/replayer)."""

__all__ = [
    "CONFIG_KEY",
    "CREDIT_KEY",
    "LIBRARY",
    "OWN_KEYS",
    "PLANS_KEY",
    "PLAN_ORDER_KEY",
    "POLICY_KEY",
    "STATE_KEY",
    "WINDOWS_KEY",
]

LIBRARY = "aura"
OWN_KEYS = ("item:*", "aura:*")
"""Patterns of all keys that a run puts into an arm."""

CONFIG_KEY = "aura:config"
STATE_KEY = "aura:state"
POLICY_KEY = "aura:policy"
PLANS_KEY = "aura:plans"
PLAN_ORDER_KEY = "aura:plan-order"
CREDIT_KEY = "aura:credit"
WINDOWS_KEY = "aura:windows"
