"""Encoder and decoder as one model: Sutskever et al. 2014 (arXiv 1409.3215), Bahdanau et al. 2015 (arXiv 1409.0473)."""

import torch
from torch import Tensor, nn

from models.loss import Loss, token_loss
from models.names import BridgeName, CellName, ContextName
from models.recurrent.ragged import length_mask
from models.text.special import PAD
from models.translation.decoder import Decoder, Memory
from models.translation.encoder import Bridge, Encoder
from models.translation.teacher import Schedule


class Translator(nn.Module):
    """Source ids to target ids, with one vocabulary of size V and one embedding table for both sides.

    Args:
        vocabulary_size: V.
        cell: of encoder and decoder, see models.recurrent.cells.
        embedding_size: d.
        encoder_size: E of each direction of the encoder.
        hidden_size: H of the decoder.
        layers: L of encoder and decoder.
        attention: see Decoder.
        attention_size: see Decoder.
        heads: see Decoder.
        input_feeding: see Decoder.
        bridge: see Bridge.
        dropout: see Encoder and Decoder.
        weight_dropout: see Decoder.
        label_smoothing: share of the probability spread over all units in the training loss.
        teacher: how often the decoder reads the reference in training. The model counts its training steps in a buffer, so that
            a resumed training continues the schedule.
    """

    steps: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        cell: CellName,
        embedding_size: int,
        encoder_size: int,
        hidden_size: int,
        layers: int,
        attention: ContextName,
        attention_size: int,
        heads: int,
        input_feeding: bool,
        bridge: BridgeName,
        dropout: float,
        weight_dropout: float,
        label_smoothing: float,
        teacher: Schedule,
    ) -> None:
        super().__init__()
        embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD)
        nn.init.normal_(embedding.weight, std=embedding_size**-0.5)  # tied: keeps the first logits near unit variance
        self.encoder = Encoder(embedding, cell, encoder_size, layers, dropout)
        self.bridge = Bridge(bridge, cell, encoder_size, hidden_size, layers)
        self.decoder = Decoder(
            embedding,
            cell=cell,
            hidden_size=hidden_size,
            layers=layers,
            memory_size=2 * encoder_size,
            attention=attention,
            attention_size=attention_size,
            heads=heads,
            input_feeding=input_feeding,
            dropout=dropout,
            weight_dropout=weight_dropout,
        )
        self.label_smoothing, self.teacher = label_smoothing, teacher
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Memory, Tensor]:
        """Encode the source.

        Args:
            source: ids ending with EOS, [B, S].
            lengths: [B].

        Returns:
            The decoder's memory, and its state before the first step, [B, P].
        """
        memory, final = self.encoder(source, lengths)
        return self.decoder.prepare(memory, length_mask(lengths, source.shape[1])), self.decoder.begin(self.bridge(final))

    def forward(self, source: Tensor, source_lengths: Tensor, target: Tensor, target_lengths: Tensor) -> Loss:
        """Cross-entropy of the target, in nats, over its T - 1 units after BOS.

        Args:
            source: [B, S], ending with EOS.
            source_lengths: [B].
            target: [B, T], BOS first and EOS last.
            target_lengths: [B].
        """
        memory, state = self.encode(source, source_lengths)
        if self.training and not self.teacher.is_teacher_forcing:
            outputs = self.decoder.sampled(target[:, :-1], state, memory, self.teacher.share(int(self.steps)))
            self.steps += 1
        else:
            outputs = self.decoder(target[:, :-1], state, memory)
        scored = length_mask(target_lengths - 1, outputs.shape[1]).nonzero(as_tuple=True)  # skips padding in the widest layer
        return token_loss(
            outputs[scored],
            self.decoder.embedding.weight,
            self.decoder.bias,
            target[:, 1:][scored],
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
