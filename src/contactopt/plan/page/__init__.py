"""The plan for eyes: charts and one page of HTML."""
