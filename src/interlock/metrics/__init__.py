"""What is counted of the roads, and the alerts and dashboards that follow from it."""
