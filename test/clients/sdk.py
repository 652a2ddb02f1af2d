"""An agent's Python program on a vendor's own SDK: the same as sdk.mjs."""

import json
import os
import sys
from urllib.parse import urlsplit

sdk, origin = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "")


def stripe_acts():
    import stripe

    stripe.api_key = os.environ["STRIPE_API_KEY"]
    if origin:
        stripe.api_base = origin + "/stripe"
    # It retries nothing unless told to; told to, it must still not repeat a refusal.
    stripe.max_network_retries = 2

    def refund(amount, **more):
        return stripe.Refund.create(charge="ch_A", amount=amount, **more).id

    return {
        "within": lambda: refund(100),
        "over": lambda: refund(5001),
        "twice": lambda: [refund(100, idempotency_key="once"), refund(100, idempotency_key="once")],
    }


def twilio_acts():
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class ThroughGate(TwilioHttpClient):
        def request(self, method, url, *args, **kwargs):
            at = urlsplit(url)
            product = "" if at.netloc == "api.twilio.com" else "/" + at.netloc
            query = "?" + at.query if at.query else ""
            return super().request(method, origin + "/twilio" + product + at.path + query, *args, **kwargs)

    client = Client(
        os.environ["TWILIO_API_KEY"],
        os.environ["TWILIO_API_SECRET"],
        os.environ["TWILIO_ACCOUNT_SID"],
        http_client=ThroughGate() if origin else None,
    )

    def text(to):
        return client.messages.create(to=to, from_="+14155550111", body="hello").sid

    return {"within": lambda: text("+14155550100"), "over": lambda: text("+14155550199")}


acts = {"python-stripe": stripe_acts, "python-twilio": twilio_acts}[sdk]()
print("ready", flush=True)
for line in sys.stdin:
    try:
        told = {"ok": acts[line.strip()]()}
    except Exception as error:
        status = getattr(error, "http_status", None) or getattr(error, "status", None)
        told = {"error": type(error).__name__, "code": None, "status": status, "message": str(error)}
    print(json.dumps(told), flush=True)
