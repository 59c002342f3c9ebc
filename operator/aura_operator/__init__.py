"""The Kopf operator: an `AuraExperiment` in, its servers and services brought up, hit ratios and a verdict on its status."""
