"""What an agent's Python program would be; prints what came of each call as one JSON line."""

import _socket
import json
import os
import sys

looked = []
real = _socket.getaddrinfo


def getaddrinfo(host, *args, **named):
    looked.append(host if isinstance(host, str) else str(host))
    return real(host, *args, **named)


_socket.getaddrinfo = getaddrinfo


def refund():
    import stripe

    stripe.api_key = os.environ["STRIPE_API_KEY"]
    return stripe.Refund.create(charge="ch_A", amount=100).status


def sms():
    from twilio.rest import Client

    client = Client(os.environ["TWILIO_API_KEY"], os.environ["TWILIO_API_SECRET"], os.environ["TWILIO_ACCOUNT_SID"])
    return client.messages.create(to="+14155550100", from_="+14155550111", body="hello").status


def verify():
    from twilio.rest import Client

    client = Client(os.environ["TWILIO_API_KEY"], os.environ["TWILIO_API_SECRET"], os.environ["TWILIO_ACCOUNT_SID"])
    return client.verify.v2.services("VA" + "1" * 32).verifications.create(to="+14155550100", channel="sms").status


def by_requests():
    import requests

    headers = {"authorization": "Bearer " + os.environ["STRIPE_API_KEY"]}
    return requests.get("https://api.stripe.com/v1/balance", headers=headers).json()["object"]


def by_httpx():
    import httpx

    headers = {"authorization": "Bearer " + os.environ["STRIPE_API_KEY"]}
    return httpx.get("https://api.stripe.com/v1/balance", headers=headers).json()["object"]


def by_async_httpx():
    import asyncio

    import httpx

    async def get():
        async with httpx.AsyncClient() as client:
            headers = {"authorization": "Bearer " + os.environ["STRIPE_API_KEY"]}
            return (await client.get("https://api.stripe.com/v1/balance", headers=headers)).json()["object"]

    return asyncio.run(get())


results = []
for name in sys.argv[1:]:
    try:
        results.append({"name": name, "ok": globals()[name]()})
    except Exception as error:
        results.append({"name": name, "error": type(error).__name__, "message": str(error)})
print(json.dumps({"results": results, "looked": looked}))
