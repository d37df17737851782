"""The pages of counties, townships and HR firms: server-rendered, working without JavaScript.

A module is a blueprint and holds routes only: read the form, call one service or page query, render
a template of the same name. `pages` has what all share: language, words, navigation, times.
"""
