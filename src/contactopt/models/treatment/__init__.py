"""What one message or offer adds over another in the same arm, through what they are like."""

from contactopt.models.treatment.catalogue import TreatmentCatalogue
from contactopt.models.treatment.model import TreatmentModel

__all__ = ["TreatmentCatalogue", "TreatmentModel"]
