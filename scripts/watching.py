"""Write deploy/: the rule file for Prometheus and the dashboard for Grafana, as the definitions say."""

from pathlib import Path

from interlock.cli.metrics import dashboard_text, rules_text

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"

if __name__ == "__main__":
    for place, text in (("prometheus/interlock.rules.yml", rules_text()), ("grafana/interlock.json", dashboard_text())):
        (DEPLOY / place).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / place).write_bytes(text)
