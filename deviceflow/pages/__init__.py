"""What people see: sign in, enter or confirm a code, approve or deny, sign out.

Contract:
- a person signs in before a code is looked up, and a code that cannot be used gets one and the
  same answer, whatever is wrong with it;
- GET changes nothing; every change is a POST that carries the session's CSRF token and comes
  from this server's own origin (`Visitors`), and it is answered with 303. The page behind
  shows the store's state, so Back, reload and a second tab show what is true. The way to a
  provider and back is the exception (`sign_in/upstream`): its answers have seals of their own;
- a detour keeps the person's code: sign-in, sign-out, another account, an error page's button;
- every answer, an error page too, carries the same security headers (`headers.py`), works
  without JavaScript, and an error says what happened, what it means and what to do next;
- no page continues to an address that a request names: only to a user code, read and written again,
  to a page that the request names by a word of `onward.py`, or to an address that a configured
  provider has announced;
- every text that a person reads is in the catalogue (`texts.py`). The demo's page alone is not: it
  is for developers.

The rooms are `device`, `sign_in` and `account`, and `demo.py`; they do not import each other.
What they share stands beside them, and `routes.py` wires them.
"""
