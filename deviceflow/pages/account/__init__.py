"""What a signed-in person does with the account: its devices, its browsers, signing out.

Contract: a page shows and changes the account of its own visitor, never one that a request names.
What it ends, it ends in the store, not only in the browser.
"""
