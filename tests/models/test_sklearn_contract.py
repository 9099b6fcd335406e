"""Payment and amount keep scikit-learn's contract on plain matrices, without exceptions."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from contactopt.models import AmountModel, PaymentModel


@parametrize_with_checks([PaymentModel(), AmountModel()])
def test_contract(estimator, check):
    check(estimator)
