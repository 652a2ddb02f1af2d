"""What an agent's Python program would be, at the vendors' own addresses, with nothing but its environment to lead it.

Names are looked up for the loopback only, so that what the proxy does not reach goes nowhere, and is told of.
"""

import _socket
import json
import os
import sys

looked = []
real = _socket.getaddrinfo


def getaddrinfo(host, *args, **named):
    name = host.decode() if isinstance(host, bytes) else str(host)
    if not name.startswith("127."):
        looked.append(name)
        raise OSError("no %s here" % name)
    return real(host, *args, **named)


_socket.getaddrinfo = getaddrinfo
HEADERS = {"authorization": "Bearer " + os.environ["STRIPE_API_KEY"]}
BALANCE = "https://api.stripe.com/v1/balance"
REFUNDS = "https://api.stripe.com/v1/refunds"
REFUND = {"charge": "ch_A", "amount": "100"}


def told(reply):
    return {"status": reply.status_code, "code": reply.json().get("error", {}).get("code")}


def by_requests():
    import requests

    return told(requests.get(BALANCE, headers=HEADERS))


def by_requests_refund():
    import requests

    return told(requests.post(REFUNDS, data=REFUND, headers=HEADERS))


def by_httpx():
    import httpx

    return told(httpx.get(BALANCE, headers=HEADERS))


def by_httpx_refund():
    import httpx

    return told(httpx.post(REFUNDS, data=REFUND, headers=HEADERS))


def by_async_httpx():
    import asyncio

    import httpx

    async def get():
        async with httpx.AsyncClient() as client:
            return told(await client.get(BALANCE, headers=HEADERS))

    return asyncio.run(get())


def by_urllib():
    from urllib.request import Request, urlopen

    with urlopen(Request(BALANCE, headers=HEADERS)) as reply:
        return {"status": reply.status}


def stripe():
    import stripe

    stripe.api_key = os.environ["STRIPE_API_KEY"]
    stripe.max_network_retries = 0
    return {"status": stripe.Refund.create(charge="ch_A", amount=100).status}


def stripe_told_of_the_bundle():
    import stripe

    stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
    stripe.api_key = os.environ["STRIPE_API_KEY"]
    return {"status": stripe.Refund.create(charge="ch_A", amount=100).status}


def twilio():
    from twilio.rest import Client

    client = Client(os.environ["TWILIO_API_KEY"], os.environ["TWILIO_API_SECRET"], os.environ["TWILIO_ACCOUNT_SID"])
    return {"status": len(client.messages.list(limit=1))}


results = []
for name in sys.argv[1:]:
    try:
        results.append(globals()[name]())
    except Exception as error:
        results.append({"failed": type(error).__name__, "message": str(error)})
print(json.dumps({"results": results, "looked": looked}))
