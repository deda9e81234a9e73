"""Networks as plain torch modules; `models.zoo` names the recipes."""
