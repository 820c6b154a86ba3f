"""The reference page as a person uses it: in a browser, with a key of their own, trying things on."""
import asyncio
import json

from browser import page

# What a hand does: React listens to the setter of the element's own class.
_HANDS = """
window.type_into = (found, text) => {
    const kind = found instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, 'value').set.call(found, text);
    found.dispatchEvent(new Event('input', {bubbles: true}));
};
window.find = (words) => document.querySelector(words);
true
"""


async def sign_in_with(it, key):
    await it.value("find('.auth-wrapper .authorize').click()")
    await it.wait_for("find('.modal-ux input')")
    await it.value(f"type_into(find('.modal-ux input'), {json.dumps(key)})")
    await it.value("find('.modal-ux .auth-btn-wrapper .authorize').click()")
    await it.wait_for("[...document.querySelectorAll('.modal-ux button')].some(b => b.textContent == 'Logout')")
    await it.value("find('.modal-ux .close-modal').click()")


async def execute(it, operation):
    """Tries one operation with its example; status and body of what came back."""
    await it.value(f"find('{operation} .opblock-summary-control').click()")
    await it.wait_for(f"find('{operation} .execute')")
    await it.value(f"find('{operation} .execute').click()")
    await it.wait_for(f"find('{operation} .live-responses-table tbody .highlight-code code')")
    said = await it.value(f"find('{operation} .live-responses-table tbody .response-col_status').textContent")
    return int(said.split()[0]), json.loads(
        await it.value(f"find('{operation} .live-responses-table tbody .highlight-code code').textContent"))


async def use(stack, client):
    async with page(f"{stack.base_url}/docs", stack.certificate) as it:
        await it.wait_for("document.querySelectorAll('.opblock').length > 10")
        await it.value(_HANDS)
        refused = await execute(it, "#operations-Account-client_me")
        await sign_in_with(it, client.key)
        await it.value("find('#operations-Account-client_me .execute').click()")
        await it.wait_for(f"document.body.textContent.includes('{client.accountcode}')")
        called = await execute(it, "#operations-Queues-quick_call")
        return refused, called, it


def test_B11_the_page_tries_things_on_and_asks_nobody_else(stack):
    client = stack.new_client("BROWSER")
    refused, called, it = asyncio.run(use(stack, client))
    assert refused[0] == 401 and refused[1]["code"] == "key_missing"
    assert called[0] == 200 and called[1]["status"] == "success"
    assert client.attempts() <= 1
    assert it.complaints == ["Failed to load resource: the server responded with a status of 401 ()"]
    elsewhere = [address for address in it.requests
                 if not address.startswith((f"{stack.base_url}/", "data:"))]
    assert not elsewhere and any(f"{stack.base_url}/api/v1/clients/me" in address for address in it.requests)
