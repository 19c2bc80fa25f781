"""Copy a legacy database into the platform's, by a plan, with a ledger, and back."""
