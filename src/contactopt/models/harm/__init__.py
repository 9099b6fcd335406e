"""What a contact may do wrong: complaints and opt-outs by channel, pressure and segment."""

from contactopt.models.harm.model import Harm, HarmInterval, HarmModel

__all__ = ["Harm", "HarmInterval", "HarmModel"]
