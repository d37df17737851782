"""JSON routes: the phones' sync, the firms' labour list, health.

A route parses by a schema, opens the transaction, calls one service and dumps by a schema.
"""
