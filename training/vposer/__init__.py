"""Training data of the pose prior VPoser in its three stages: npz to pt, pt to h5, h5 to pt.

As the authors describe them (nghorbani/human_body_prior, data/README.md; Pavlakos et al., CVPR 2019), with
what their code promises and does not do: frames are drawn with a seed of their own per sequence, noise is
added, no sequence is drawn twice, memory does not grow with the data.

:mod:`.sources` finds sequences and their split, :mod:`.stages` makes the files.
"""
