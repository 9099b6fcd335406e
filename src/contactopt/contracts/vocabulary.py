"""The words of the data contract, version 1; `unknown` is a value, never a gap."""

from __future__ import annotations

CHANNELS = (
    "call_agent",
    "call_bot",
    "sms",
    "whatsapp",
    "email",
    "push",
    "chat",
    "letter",
    "visit",
    "portal",
)
#: channels that can only come in: they are history, never an action
INBOUND_ONLY = ("portal",)
WAIT = "wait"
DIRECTIONS = ("outbound", "inbound")
HANDLED_BY = ("agent", "bot", "automated", "customer")

NO_CONTACT_OUTCOMES = (
    "no_answer",
    "busy",
    "voicemail",
    "unreachable",
    "blocked",
    "invalid",
    "bounced",
    "undelivered",
)
WRONG_PARTY_OUTCOMES = ("wrong_number", "third_party")
DIGITAL_OUTCOMES = (
    "delivered",
    "opened",
    "clicked",
    "replied",
    "visited",
    "paid_online",
    "opted_out",
    "complained",
)
RIGHT_PARTY_OUTCOMES = (
    "promise",
    "paid",
    "plan_agreed",
    "settlement_agreed",
    "callback",
    "hardship",
    "vulnerable",
    "claims_paid",
    "dispute",
    "refused",
    "hung_up",
    "no_commitment",
    "asked_to_stop",
)
STATE_OUTCOMES = ("deceased", "represented", "bankrupt")
OUTCOMES = (
    *NO_CONTACT_OUTCOMES,
    *WRONG_PARTY_OUTCOMES,
    *DIGITAL_OUTCOMES,
    *RIGHT_PARTY_OUTCOMES,
    *STATE_OUTCOMES,
    "unknown",
)
#: outcomes that act like a hold (or a revocation) from the moment they are known
HOLDING_OUTCOMES = (
    "asked_to_stop",
    "dispute",
    "hardship",
    "vulnerable",
    "deceased",
    "represented",
    "bankrupt",
    "opted_out",
)
#: digital outcomes that show the customer took note
ENGAGED_OUTCOMES = ("opened", "clicked", "replied", "visited", "paid_online")
#: outcomes after which a contact point no longer leads to the customer
DEAD_POINT_OUTCOMES = ("invalid", "bounced", "wrong_number")

PRODUCTS = (
    "credit_card",
    "personal_loan",
    "auto_loan",
    "mortgage",
    "microcredit",
    "bnpl",
    "telecom",
    "utility",
    "tax",
    "other",
)
OWNERSHIPS = ("first_party", "third_party", "debt_buyer")
DEBT_STATUSES = (
    "open",
    "in_plan",
    "disputed",
    "bankrupt",
    "legal",
    "cured",
    "settled",
    "sold",
    "closed",
)
CUSTOMER_KINDS = ("person", "business")
POINT_KINDS = ("mobile", "landline", "email", "postal", "app")
PLACES = ("home", "work", "unknown")
HOLDERS = ("customer", "third_party", "unknown")
HOLD_KINDS = (
    "cease_communication",
    "attorney",
    "dispute",
    "bankruptcy",
    "deceased",
    "hardship",
    "vulnerable",
    "military",
    "legal",
    "inconvenient_time",
    "workplace_prohibited",
    "do_not_contact",
    "callback_agreed",
    "written_only",
    "breathing_space",
    "representative",
    "employer_refused",
    "preference",
)
CONSENT_STATUSES = ("granted", "revoked")
FREQUENCIES = ("daily", "weekly", "biweekly", "monthly")
PAYMENT_KINDS = ("voluntary", "direct_debit", "legal", "adjustment")
#: kinds of payment that the policy may be rewarded for
REWARD_KINDS = ("voluntary", "direct_debit")
PARTY_ROLES = ("co_obligor", "guarantor", "heir", "representative")
NOTICE_KINDS = (
    "validation",
    "assignment",
    "payment_demand",
    "written_notice",
    "limitation",
    "other",
)
DISPATCH_STATUSES = (
    "pending",
    "sent",
    "suppressed_rule",
    "suppressed_event",
    "no_capacity",
    "vendor_error",
)
OFFER_KINDS = ("full", "settlement", "arrangement", "deferral")
POOL_UNITS = ("contacts", "minutes", "money")
#: stages of a customer's arrears in order, as segments are labelled; between the first and the
#: last a customer is in arrears
ARREARS_STAGES = ("current", "early", "mid", "late", "charged off", "unknown")
